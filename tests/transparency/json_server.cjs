// json-server on a free port, its data in memory. Prints "PORT n" when it listens.
// Usage: node json_server.cjs FOLDER_WITH_NODE_MODULES

const path = require('node:path')

const jsonServer = require(path.join(process.argv[2], 'node_modules', 'json-server'))

const posts = Array.from({ length: 25 }, (_, at) => ({
  id: at + 1,
  title: `title ${at + 1}`,
  author: at % 2 === 0 ? 'typicode' : 'año nuevo',
  views: (at * 37) % 100
}))
const comments = posts.map(post => ({ id: post.id, body: `about ${post.id}`, postId: post.id }))
const profile = { name: 'typicode' }

const server = jsonServer.create()
server.use(jsonServer.defaults({ logger: false }))
server.use(jsonServer.router({ posts, comments, profile }))
const listener = server.listen(0, '127.0.0.1', () => {
  console.log(`PORT ${listener.address().port}`)
})
// Longer than any pause of the tests: a connection that idles must not be cut under a request.
listener.keepAliveTimeout = 120_000
process.on('SIGTERM', () => process.exit(0))
