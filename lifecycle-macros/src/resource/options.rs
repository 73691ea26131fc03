//! The options of `#[resource]`.

use crate::option::option_names;

option_names! {
    enum ResourceOption, resources in After {
        After = "after", "after = Db";
        Name = "name", "name = \"db\"";
        AcquireTimeout = "acquire_timeout", "acquire_timeout = \"10s\"";
        DrainTimeout = "drain_timeout", "drain_timeout = \"15s\"";
        Reserve = "reserve", "reserve = \"2s\"";
        Optional = "optional", "optional";
        Skippable = "skippable", "skippable";
        Reload = "reload", "reload";
        Foundation = "foundation", "foundation";
        Supplied = "supplied", "supplied";
        Crate = "crate", "crate = path::to::lifecycle";
    }
}
