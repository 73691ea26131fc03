module.exports = {
  apps: [{
    name: "shop",
    script: "./shop",
    stop_exit_codes: [78],
    treekill: false,
  }],
};
