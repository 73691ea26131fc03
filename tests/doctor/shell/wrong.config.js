module.exports = {
  apps: [{
    name: "shop",
    script: "/bin/sh",
    args: ["-c", "./shop --port 8080"],
    stop_exit_codes: [78],
  }],
};
