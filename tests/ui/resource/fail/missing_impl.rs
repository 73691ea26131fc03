use lifecycle::resource;

#[resource]
struct Db;

fn main() {}
