// The built site behind a server of its own, and a headless Chromium that can reach nothing else.
import { createReadStream, existsSync, readdirSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const site = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
export const dist = path.join(site, 'build/dist')
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json' }

export function serve() {
  const server = createServer((request, response) => {
    let name = path.join(dist, decodeURIComponent(new URL(request.url, 'http://x').pathname))
    if (name.endsWith(path.sep)) name = path.join(name, 'index.html')
    if (!name.startsWith(dist) || !existsSync(name) || !statSync(name).isFile()) {
      response.writeHead(404).end('no such page')
      return
    }
    response.writeHead(200, { 'content-type': types[path.extname(name)] ?? 'application/octet-stream' })
    createReadStream(name).pipe(response)
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve({ server, origin: `http://127.0.0.1:${server.address().port}` })))
}

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM || ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync),
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  })

// allPages lists the addresses of all pages, slash-separated, from the site's root.
export function allPages(directory = dist, prefix = '/') {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (entry.isDirectory()) return allPages(path.join(directory, entry.name), `${prefix}${entry.name}/`)
    return entry.name.endsWith('.html') && entry.name !== '404.html' ? [prefix + (entry.name === 'index.html' ? '' : entry.name)] : []
  })
}

export const fileOf = (page) => path.join(dist, page.endsWith('/') ? page + 'index.html' : page)
