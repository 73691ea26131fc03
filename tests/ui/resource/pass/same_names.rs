//! Resources of one name are told apart, whatever else they have in common.

use std::collections::HashSet;

use lifecycle::{Acquire, App, Builder, Resource, Result, resource};

macro_rules! supply_two_of_one_type_name {
    ($builder:expr) => {{
        #[resource]
        struct Db;

        impl Resource for Db {
            async fn acquire(_: &Acquire<Self>) -> Result<Self> {
                Ok(Db)
            }
        }

        $builder.supply(Db)
    }};
}

mod named {
    use super::*;

    #[resource(name = "Db")]
    pub struct Database;

    impl Resource for Database {
        async fn acquire(_: &Acquire<Self>) -> Result<Self> {
            Ok(Database)
        }
    }
}

fn supply(builder: Builder) -> Builder {
    let builder = supply_two_of_one_type_name!(supply_two_of_one_type_name!(builder));
    supply_two_of_one_type_name!(builder)
}

#[tokio::main]
async fn main() {
    let builder = App::builder().resources::<()>().supply(named::Database);
    let report = supply(builder).run(async |_| {}).await;
    let names: Vec<&str> = report.resources.iter().map(|resource| resource.name).collect();
    let distinct: HashSet<&str> = names.iter().copied().collect();
    assert_eq!((names.len(), distinct.len()), (4, 4), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with("::named::Database")), "{names:?}");
}
