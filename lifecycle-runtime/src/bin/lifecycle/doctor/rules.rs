//! The rules, as data. `--rules` prints the table, and the page `doctor` of the documentation has it.

use std::fmt::Write;

use super::kind::Kind::{self, Compose, Dockerfile, Haproxy, Kubernetes, Pm2, Script, Systemd};

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: &'static str,
    pub(super) severity: Severity,
    pub(super) kinds: &'static [Kind],
    /// What is wrong, in a line.
    pub(super) what: &'static str,
    /// What comes of it.
    pub(super) why: &'static str,
    pub(super) mend: &'static str,
    /// The page of the documentation, and its section.
    pub(super) see: &'static str,
    /// The test that shows with processes what comes of it; empty if there is none.
    pub(super) played: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// It loses requests or releases, or the application does not run.
    Error,
    /// It may, in some circumstances; or something else is meant.
    Warning,
}

impl Severity {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! rules {
    ($($name:ident $id:literal $severity:ident [$($kind:ident),*] $what:literal
       why $why:literal mend $mend:literal see $see:literal played $played:literal;)*) => {
        $(pub(super) static $name: Rule = Rule {
            id: $id, severity: Severity::$severity, kinds: &[$($kind),*], what: $what, why: $why, mend: $mend,
            see: $see, played: $played,
        };)*
        pub(super) static ALL: &[&Rule] = &[$(&$name),*];
    };
}

rules! {
    GRACE_TOO_SHORT "grace-too-short" Error [Kubernetes, Systemd, Compose, Pm2]
        "the platform kills before the stop has to be over"
        why "SIGKILL in the middle of a stop loses the requests under way, and the releases that were still to come"
        mend "lengthen the grace period, or shorten LIFECYCLE_SHUTDOWN_TIMEOUT"
        see "timeouts#the-grace-period" played "doctor_played::a_grace_period_that_is_too_short_loses_a_release";
    GRACE_UNUSED "grace-unused" Warning [Kubernetes, Compose]
        "the grace period is far longer than the stop may take"
        why "a process cannot see its grace period: it cuts off requests although there is time for them"
        mend "set LIFECYCLE_SHUTDOWN_TIMEOUT to what the stop may take"
        see "timeouts#the-grace-period" played "docker_doctor::a_request_is_cut_off_although_the_engine_would_have_waited";
    DELAY_TOO_SHORT "delay-too-short" Error [Kubernetes, Haproxy]
        "the drain delay is shorter than what it takes to be taken out of service"
        why "requests still arrive when the server has closed its listener, and are refused"
        mend "lengthen LIFECYCLE_DRAIN_DELAY"
        see "timeouts#the-drain-delay" played "haproxy::without_a_delay_requests_are_lost";
    DELAY_TWICE "delay-twice" Warning [Kubernetes]
        "the pod waits in its preStop hook, and then again for its drain delay"
        why "every deletion takes longer, and the grace period counts both"
        mend "remove the hook, or set LIFECYCLE_DRAIN_DELAY to 0s"
        see "kubernetes" played "doctor_kubelet::after_a_hook_that_waits_the_drain_delay_waits_again";
    SHELL "shell" Error [Kubernetes, Compose, Dockerfile, Script, Systemd, Pm2]
        "a shell stands between the platform and the program"
        why "the signal ends at the shell: the program is not asked to stop, and is killed in the end"
        mend "start the program directly, or with `exec` in the shell"
        see "timeouts#what-stands-between-the-supervisor-and-the-program"
        played "doctor_played::a_shell_keeps_the_signal_and_exec_passes_it_on";
    STOP_SIGNAL "stop-signal" Error [Kubernetes, Compose, Dockerfile, Systemd]
        "the signal that asks the program to stop is not one that it listens to"
        why "it ends at once, or not at all until it is killed"
        mend "SIGTERM, the default; SIGINT and SIGQUIT mean the same to the application"
        see "timeouts#the-grace-period" played "doctor_played::a_stop_signal_that_kills_loses_a_release";
    PROBE_UNANSWERED "probe-unanswered" Error [Kubernetes, Compose, Dockerfile, Haproxy]
        "a check asks a path or a port that does not answer it"
        why "the check never passes: no traffic comes, or the container is restarted for ever"
        mend "ask /startupz, /servingz, /readyz or /livez at the probe's port"
        see "kubernetes" played "doctor_played::a_path_that_does_not_exist_is_never_answered";
    PROBE_ELSEWHERE "probe-elsewhere" Warning [Kubernetes, Haproxy]
        "a check asks a path of the probe at a port that is not the probe's"
        why "if the application does not serve that path itself, the check never passes"
        mend "ask the port of the probe; LIFECYCLE_PROBE_ADDR enables one"
        see "kubernetes" played "haproxy_doctor::a_check_that_asks_the_port_of_the_application_never_passes";
    PROBE_LOOPBACK "probe-loopback" Error [Kubernetes, Haproxy]
        "the probe answers only on the loopback address"
        why "checks come from outside: they are refused"
        mend "LIFECYCLE_PROBE_ADDR: 0.0.0.0:8081"
        see "kubernetes" played "doctor_played::a_probe_on_the_loopback_address_refuses_others";
    LIVENESS_ON_READINESS "liveness-on-readiness" Error [Kubernetes, Compose]
        "the check that decides about a restart asks about readiness"
        why "when a database is away, every instance is restarted; and so is one that is stopping"
        mend "ask /livez"
        see "kubernetes" played "doctor_probes::a_pod_whose_database_is_away_is_restarted_although_it_serves";
    HOOK_UNANSWERED "hook-unanswered" Error [Kubernetes]
        "the preStop hook asks a path or a port that does not answer it"
        why "the hook fails at once, and the delay that it stands for does not happen"
        mend "enable /prestop (`prestop` in `#[lifecycle::main]`), or remove the hook: the drain delay does the same"
        see "kubernetes" played "doctor_played::a_path_that_does_not_exist_is_never_answered";
    HOOK_NOT_IN_IMAGE "hook-not-in-image" Error [Kubernetes, Compose]
        "a hook or a health check runs a program that the image does not have"
        why "it fails at once: the delay that it stands for does not happen, or the container is never healthy"
        mend "use the actions `sleep` or `httpGet`, or remove it: the drain delay does the same"
        see "kubernetes" played "docker_doctor::what_the_image_does_not_have_is_neither_a_hook_nor_a_health_check";
    NO_READINESS_PROBE "no-readiness-probe" Warning [Kubernetes]
        "the container takes traffic, and nothing asks whether it is ready"
        why "a new pod gets requests before it has started, in every deployment"
        mend "readinessProbe: { httpGet: { path: /servingz, port: 8081 }, periodSeconds: 2 }"
        see "kubernetes" played "doctor_probes::a_pod_that_seems_to_be_ready_during_its_start_gets_requests";
    READY_TOO_EARLY "ready-too-early" Error [Kubernetes]
        "the readiness probe asks what passes before anything is acquired, such as /livez"
        why "a new pod gets requests before it has started, in every deployment"
        mend "ask /servingz, or add a startupProbe on /startupz"
        see "kubernetes" played "doctor_probes::a_pod_that_seems_to_be_ready_during_its_start_gets_requests";
    READY_ENDS_FIRST "ready-ends-first" Warning [Kubernetes]
        "the readiness probe of the only replica fails at the beginning of the drain delay"
        why "Kubernetes sends to a pod that is being deleted only while its readiness probe passes: requests are refused"
        mend "ask /servingz, which passes until the drain delay is over"
        see "kubernetes" played "doctor_probes::the_only_pod_gets_no_requests_in_its_drain_delay_although_it_serves";
    START_CUT_SHORT "start-cut-short" Warning [Kubernetes]
        "the kubelet restarts the container before the start has to be over"
        why "a slow start is killed and begins again, where the application would have ended it and said why"
        mend "raise failureThreshold, or set LIFECYCLE_STARTUP_TIMEOUT to less"
        see "kubernetes" played "doctor_kubelet::a_slow_start_is_killed_or_is_waited_for";
    RECREATE "recreate" Warning [Kubernetes, Compose]
        "every pod or task ends before a new one is started"
        why "in every deployment there is a time when nothing answers"
        mend "strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }; in a swarm, order: start-first"
        see "kubernetes" played "kubernetes::pods_that_all_end_first_leave_a_time_when_nothing_answers";
    SIDECAR_ENDS_FIRST "sidecar-ends-first" Warning [Kubernetes]
        "a proxy beside the application gets SIGTERM at the same time"
        why "it may be gone while requests still need it"
        mend "make it an entry of initContainers with `restartPolicy: Always`: it then ends last"
        see "timeouts#sidecars" played "sidecar_doctor::a_proxy_that_is_signalled_too_is_gone_when_a_request_needs_it";
    KILL_MODE "kill-mode" Error [Systemd]
        "the unit leaves processes behind, or asks none of them to stop"
        why "what is left of the last run holds ports and files when the next one starts"
        mend "KillMode=mixed, or remove the line"
        see "timeouts#child-processes"
        played "systemd_doctor::with_a_kill_mode_of_none_a_stop_leaves_the_program_running";
    CHILDREN "children-end-first" Warning [Systemd, Pm2, Dockerfile]
        "child processes get the signal at the same time as the program (--children)"
        why "a child ends while requests still need it"
        mend "systemd: KillMode=mixed; PM2: treekill: false; dumb-init: --single-child; tini: without -g"
        see "timeouts#child-processes" played "doctor_played::a_child_that_is_signalled_too_ends_first";
    NEVER_STARTED "never-started" Error [Systemd]
        "systemd waits for a sign of the start that does not come"
        why "after TimeoutStartSec it ends the service, and starts it again"
        mend "Type=notify with the feature `systemd`, Type=exec without it"
        see "systemd_units"
        played "systemd_doctor::behind_a_shell_the_sign_of_the_start_is_not_heard";
    READY_UNHEARD "ready-unheard" Warning [Systemd]
        "the program says when it is ready, and the unit does not wait for it"
        why "units that come after this one start too early, and a stop gets no more time than TimeoutStopSec"
        mend "Type=notify"
        see "systemd_units"
        played "systemd_doctor::a_unit_that_does_not_wait_for_the_start_is_up_before_it";
    WATCHDOG_STARVES "watchdog-starves" Error [Systemd]
        "WatchdogSec is set, and the program is built without the feature `systemd`"
        why "systemd kills and restarts the service each time that span is over"
        mend "enable the feature `systemd` of lifecycle-runtime, or remove the line"
        see "systemd_units"
        played "systemd_doctor::a_watchdog_kills_a_program_that_does_not_know_it";
    EXEC_STOP_KILLS "exec-stop-kills" Error [Systemd]
        "ExecStop= kills the program"
        why "SIGKILL comes before the request to stop: nothing is finished or released"
        mend "remove the line: systemd sends SIGTERM by itself"
        see "systemd_units" played "doctor_played::an_exec_stop_that_kills_loses_a_release";
    RESTART_ON_78 "restart-on-78" Warning [Kubernetes, Systemd, Compose, Pm2]
        "a configuration that is refused (exit code 78) is tried again and again"
        why "it would be as wrong the next time, and the log fills with the same message"
        mend "tell the platform not to restart after 78"
        see "timeouts#exit-codes-and-restarts" played "doctor_played::a_wrong_configuration_is_tried_once_or_for_ever";
    PM2_MODE "pm2-mode" Error [Pm2]
        "PM2 treats the program as one of Node.js"
        why "a binary cannot run in cluster mode or under an interpreter, and gets no messages of Node.js"
        mend "exec_mode: 'fork', interpreter: 'none', and no shutdown_with_message"
        see "timeouts#the-grace-period" played "pm2_doctor::a_binary_in_cluster_mode_never_starts";
    PM2_WAIT_READY "pm2-wait-ready" Warning [Pm2]
        "PM2 waits for a message that the program does not send"
        why "every start takes listen_timeout, and means nothing"
        mend "remove wait_ready"
        see "timeouts#the-grace-period" played "pm2_doctor::a_start_with_wait_ready_is_not_done_although_the_program_serves";
    NO_CHECK "haproxy-no-check" Error [Haproxy]
        "HAProxy does not ask the server whether it is ready"
        why "it sends requests to a server that is stopping until a connection is refused"
        mend "option httpchk GET /readyz, and `check port 8081` for each server"
        see "timeouts#the-drain-delay" played "haproxy::without_a_delay_requests_are_lost";
    CHECK_PASSES "check-passes" Error [Haproxy]
        "the check passes until the server has closed its listener"
        why "HAProxy does not notice the stop during the drain delay, and sends requests when it is over"
        mend "option httpchk GET /readyz, at the port of the probe"
        see "timeouts#the-drain-delay" played "haproxy_doctor::a_check_that_passes_until_the_listener_is_closed_loses_requests";
    CUTS_SESSIONS "cuts-sessions" Error [Haproxy]
        "HAProxy ends the connections to a server that is marked down"
        why "a server that drains is marked down: the requests under way are cut"
        mend "remove `on-marked-down shutdown-sessions`"
        see "timeouts#the-drain-delay"
        played "haproxy::sessions_that_are_cut_when_a_server_is_marked_down_lose_requests";
    REFUSED "configuration-refused" Error [Kubernetes, Systemd, Compose, Dockerfile, Pm2]
        "the application refuses these variables"
        why "it ends with 78 before it starts anything"
        mend "write the value as the message says"
        see "timeouts#the-variables" played "doctor::variables_that_are_refused_or_unknown_are_found_where_they_are_set";
    UNKNOWN_VARIABLE "unknown-variable" Warning [Kubernetes, Systemd, Compose, Dockerfile, Pm2]
        "a variable looks like one of lifecycle, and is not"
        why "it changes nothing"
        mend "correct the name"
        see "timeouts#the-variables" played "doctor::variables_that_are_refused_or_unknown_are_found_where_they_are_set";
    ALLOW "allow" Warning [Kubernetes, Systemd, Compose, Dockerfile, Script, Pm2, Haproxy]
        "a comment allows a rule to be broken, and does not count"
        why "the next reader cannot know whether it still holds"
        mend "# lifecycle: allow RULE because …"
        see "doctor" played "";
}

pub(super) fn named(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

/// The table, as Markdown.
pub(super) fn table() -> String {
    let mut table = "| rule | | in | what is wrong | what comes of it | what to do | more | played by |\n|---|---|---|---|---|---|---|---|\n".to_owned();
    for Rule { id, severity, kinds, what, why, mend, see, played } in ALL {
        let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        let page = see.split('#').next().unwrap_or(see);
        let more = match *see {
            "doctor" => "this page".to_owned(),
            _ => format!("[`{page}`]({})", ["crate", see].join("::")),
        };
        let played = if played.is_empty() { String::new() } else { format!("`{played}`") };
        let row = [&format!("`{id}`"), severity.name(), &kinds.join(", "), what, why, mend, &more, &played];
        let _ = writeln!(table, "| {} |", row.join(" | "));
    }
    table
}
