//! What a declaration says at run time is what the attribute says.

use lifecycle::private::{Declared, Registered, inventory};
use lifecycle::{Acquire, Resource, Result, resource};

#[resource]
struct Db;

#[resource(
    after = Db,
    name = "job queue",
    acquire_timeout = "2min",
    drain_timeout = "0s",
    reserve = "1m 1.5s",
    optional
)]
/// The line on which the struct stands is this one plus one.
struct Jobs;

impl Resource for Db {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Db)
    }
}

impl Resource for Jobs {
    async fn acquire(_: &Acquire<Self>) -> Result<Self> {
        Ok(Jobs)
    }
}

fn main() {
    let db = format!("{:?}", Db::node());
    for part in ["name: \"Db\"", "declaration.rs\"", "line: 7", "after: []", "None", "necessity: Required"] {
        assert!(db.contains(part), "{part} is not in {db}");
    }
    let jobs = format!("{:?}", Jobs::node());
    for part in [
        "name: \"job queue\"",
        "line: 18",
        "acquire_timeout: Some(120s)",
        "drain_timeout: Some(0ns)",
        "reserve: Some(61.5s)",
        "necessity: Optional",
        "foundation: false",
    ] {
        assert!(jobs.contains(part), "{part} is not in {jobs}");
    }
    assert_eq!(Db::RESOURCES_THAT_COME_AFTER_EACH_OTHER, 1);
    assert_eq!(Jobs::RESOURCES_THAT_COME_AFTER_EACH_OTHER, 2);

    let registered = inventory::iter::<Registered>.into_iter().map(|registered| registered.0);
    let registered: Vec<_> =
        registered.filter(|node| format!("{node:?}").contains("declaration.rs")).collect();
    assert!(registered.iter().any(|node| std::ptr::eq(*node, Jobs::node())));
    assert_eq!(registered.len(), 2);
}
