use lifecycle::resource;

#[resource]
mod db {}

fn main() {}
