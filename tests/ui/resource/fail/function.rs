use lifecycle::resource;

#[resource]
async fn db() {}

fn main() {}
