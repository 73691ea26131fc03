module.exports = {
  apps: [{
    name: "shop",
    script: "./shop",
    stop_exit_codes: [78],
    env: { LIFECYCLE_SHUTDOWN_TIMEOUT: "5s" },
    kill_timeout: 7000,
  }],
};
