// The same packages, links and names as in ../uniapp.
module.exports = require('../uniapp/vite.config.js')
