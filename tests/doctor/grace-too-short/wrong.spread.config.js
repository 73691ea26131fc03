const common = { kill_timeout: 30_000 };
module.exports = {
  apps: [{
    name: "shop", script: "./shop", stop_exit_codes: [78], kill_timeout: 3_000,
    env: { ...process.env, LIFECYCLE_SHUTDOWN_TIMEOUT: "5s" },
  }],
};
