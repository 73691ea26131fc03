module.exports = {
  apps: [{
    name: "shop",
    script: "./shop",
    stop_exit_codes: [78],
    wait_ready: true,
  }],
};
