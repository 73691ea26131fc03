//! What one call of a macro declares is in the order of its names, wherever the linker puts it.

use lifecycle::{Acquire, App, Resource, Result, resource};

macro_rules! declare {
    ($($name:ident)*) => {
        $(
            #[resource]
            struct $name;

            impl Resource for $name {
                async fn acquire(_: &Acquire<Self>) -> Result<Self> {
                    Ok($name)
                }
            }
        )*
    };
}

declare!(D B E A C);

#[tokio::main]
async fn main() {
    let report = App::builder().run(async |_| {}).await;
    let names: Vec<&str> = report.resources.iter().map(|resource| resource.name).collect();
    assert_eq!(names, ["A", "B", "C", "D", "E"]);
}
