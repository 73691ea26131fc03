module.exports = {
  apps: [{
    name: "shop",
    script: "./shop",
  }],
};
