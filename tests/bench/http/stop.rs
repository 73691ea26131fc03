//! Servers as processes: from the start to the first answer, and from SIGTERM to the exit when all connections are idle.

#[cfg(not(unix))]
pub(crate) fn measure(_: &crate::options::Options) -> Vec<crate::table::Table> {
    Vec::new()
}

#[cfg(not(unix))]
pub(crate) fn measure_first_answer(_: &crate::options::Options) -> Vec<crate::table::Table> {
    Vec::new()
}

#[cfg(not(unix))]
pub(super) fn child(_: super::Way) {}

#[cfg(unix)]
pub(super) use self::unix::child;
#[cfg(unix)]
pub(crate) use self::unix::{measure, measure_first_answer};

#[cfg(unix)]
mod unix {
    use std::io::{BufRead, BufReader};
    use std::net::SocketAddr;
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process};

    use super::super::client::Client;
    use super::super::runtime;
    use super::super::server::{Way, run};
    use crate::options::Options;
    use crate::peers::compare;
    use crate::rounds::{Taken, time};
    use crate::table::Table;

    /// Longer than the idle grace: the connections are closed at once.
    const IDLE: Duration = Duration::from_millis(300);

    pub(crate) fn measure(options: &Options) -> Vec<Table> {
        let connections = if options.is_quick { 2 } else { 100 };
        let peers = [Way::HyperUtil, Way::ServeHttp, Way::Axum, Way::InFlight].map(|way| (way.name(), way));
        let title = format!("from SIGTERM to the exit, with {connections} idle connections");
        vec![compare(options, title, peers, 1, |way| stop(way, connections))]
    }

    pub(crate) fn measure_first_answer(options: &Options) -> Vec<Table> {
        let peers = [Way::HyperUtil, Way::ServeHttp, Way::Axum, Way::InFlight].map(|way| (way.name(), way));
        let title = "from the start of the process to the first answer".to_owned();
        vec![compare(options, title, peers, 1, first_answer)]
    }

    fn first_answer(way: Way) -> Taken {
        let runtime = runtime();
        let (mut server, taken) = time(|| {
            let (server, address) = start(way);
            runtime.block_on(async { Client::connect(address).await.get().await });
            server
        });
        kill_process(Pid::from_child(&server), Signal::TERM).expect("the server is there");
        let _ = server.wait();
        taken
    }

    fn start(way: Way) -> (Child, SocketAddr) {
        let mut server = Command::new(std::env::current_exe().expect("the program has a path"))
            .args(["--child", way.name()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program can run itself");
        let mut line = String::new();
        let stdout = server.stdout.take().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it is");
        let address = line.trim().parse().expect("it is an address");
        (server, address)
    }

    fn stop(way: Way, connections: usize) -> Taken {
        let (mut server, address) = start(way);
        let runtime = runtime();
        let clients = runtime.block_on(async {
            let mut clients = Vec::new();
            for _ in 0..connections {
                let mut client = Client::connect(address).await;
                client.get().await;
                clients.push(client);
            }
            tokio::time::sleep(IDLE).await;
            clients
        });
        let (status, taken) = time(|| {
            kill_process(Pid::from_child(&server), Signal::TERM).expect("the server is there");
            server.wait()
        });
        assert!(status.as_ref().is_ok_and(std::process::ExitStatus::success), "{status:?}");
        drop(clients);
        taken
    }

    pub(in super::super) fn child(way: Way) {
        let runtime = tokio::runtime::Runtime::new().expect("the system gives threads");
        runtime.block_on(run(way, |address| println!("{address}")));
    }
}
