const common = { kill_timeout: 30_000, stop_exit_codes: [78] };
module.exports = {
  apps: [{
    ...common, name: "shop", script: "./shop",
    env: { LIFECYCLE_SHUTDOWN_TIMEOUT: "5s" },
  }],
};
