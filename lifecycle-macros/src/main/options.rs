//! The options of `#[lifecycle::main]`.

use crate::option::option_names;

option_names! {
    enum MainOption, resources in Resources {
        ShutdownTimeout = "shutdown_timeout", "shutdown_timeout = \"30s\"";
        StartupTimeout = "startup_timeout", "startup_timeout = \"60s\"";
        DrainDelay = "drain_delay", "drain_delay = \"5s\"";
        Hangup = "hangup", "hangup = \"reload\"";
        Probe = "probe", "probe = \"0.0.0.0:8081\"";
        Prestop = "prestop", "prestop";
        Resources = "resources", "resources = [Http, Metrics]";
        Flavor = "flavor", "flavor = \"multi_thread\"";
        WorkerThreads = "worker_threads", "worker_threads = 4";
        Crate = "crate", "crate = path::to::lifecycle";
    }
}
