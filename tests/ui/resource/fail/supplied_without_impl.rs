use lifecycle::resource;

#[resource(supplied)]
struct Arguments;

fn main() {}
