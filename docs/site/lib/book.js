// What the site knows of the workbook: what docs/tools/sitedata prints, and where each file of the repository is on the site.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

export const site = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
export const root = path.resolve(site, '../..')
export const pages = path.join(site, 'build/pages')
export const publicDirectory = path.join(site, 'build/public')
const generated = 'docs/site/build/pages/'

export const settings = {
  ...JSON.parse(readFileSync(path.join(site, 'settings.json'), 'utf8')),
  ...(process.env.SITE_REPO && { repo: process.env.SITE_REPO }),
}

const output = execFileSync('go', ['-C', 'docs/tools', 'run', './sitedata'], {
  cwd: root,
  encoding: 'utf8',
  maxBuffer: 1 << 28,
  stdio: ['ignore', 'pipe', 'inherit'],
})
export const book = JSON.parse(output)
export const lessons = book.parts.flatMap((part) => part.lessons)

const files = new Set(book.files)
const directories = new Set(['.'])
for (const file of files) {
  for (let up = path.posix.dirname(file); up !== '.'; up = path.posix.dirname(up)) directories.add(up)
}

export const isFile = (name) => files.has(name)
export const isDirectory = (name) => directories.has(name)
export const read = (name) => readFileSync(path.join(root, name), 'utf8').replaceAll('\r\n', '\n')

// children returns the names in a directory of the repository, directories with a slash.
export function children(directory) {
  const prefix = directory === '.' ? '' : directory + '/'
  const names = new Set()
  for (const file of files) {
    if (!file.startsWith(prefix)) continue
    const [first, ...rest] = file.slice(prefix.length).split('/')
    names.add(rest.length > 0 ? first + '/' : first)
  }
  return [...names].sort()
}

// A Markdown file is a page of the site if it is for readers, or for those who maintain the workbook.
const pageForms = [
  /^README\.md$/,
  /^lessons\/[^/]+\/README\.md$/,
  /^exercises\/[^/]+\/hints\.md$/,
  /^docs\/[^/]+\.md$/,
  /^docs\/(reference|workshop|bench|benchmarks)\/[^/]+\.md$/,
]
export const isPage = (name) => files.has(name) && pageForms.some((form) => form.test(name))

// rewrite gives a Markdown file its place on the site.
export function rewrite(name) {
  if (name.startsWith(generated)) return name.slice(generated.length)
  const hints = /^exercises\/([^/]+)\/hints\.md$/.exec(name)
  if (hints) return `lessons/${hints[1]}/hints.md`
  return name
    .replace(/(^|\/)README\.md$/, '$1index.md')
    .replace(/^docs\/(reference|workshop)\//, '$1/')
}

// address returns the address of the page that shows a file or a directory, undefined if none does.
export function address(name, shown) {
  let page
  if (isPage(name)) page = rewrite(name)
  else if (isDirectory(name)) {
    const readme = path.posix.join(name, 'README.md')
    if (isPage(readme)) page = rewrite(readme)
    else if (shown.has(name)) page = path.posix.join(name, 'index.md')
  } else if (shown.has(name)) page = name + '.md'
  return page && '/' + page.replace(/(^|\/)index\.md$/, '$1').replace(/\.md$/, '.html')
}

// isSource reports whether the page at an address is finished HTML, which the site's router must leave to the browser.
export const isSource = (name, shown) => !isPage(name) && shown.has(name) && !lessons.some((lesson) => name === `exercises/${lesson.id}`)

// An anchor is the place of a test on the page of its file.
export const anchor = (test) =>
  test.path.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '')

const systemNames = { linux: 'Linux', darwin: 'macOS', freebsd: 'FreeBSD', windows: 'Windows' }

// ran says what was run where, in the words of the README's "What runs where".
export function ran(file) {
  const built = book.systems[file] ?? []
  const run = []
  if (built.includes('linux')) run.push('on Linux')
  if (built.includes('windows')) run.push('as a Windows build under Wine')
  const rest = built.filter((system) => system !== 'linux' && system !== 'windows').map((system) => systemNames[system])
  const sentence = run.length > 0 ? `Run ${run.join(' and ')}` : 'Not run here'
  return rest.length > 0 ? `${sentence}; built for ${rest.join(' and ')}` : sentence
}

// escape makes plain text safe in Markdown that Vue compiles; what is between backticks stays code.
export const escape = (text) =>
  text
    .split(/(`[^`]*`)/)
    .map((piece, i) =>
      i % 2 === 1
        ? piece.replaceAll('|', '\\|')
        : piece.replace(/[\\*_[\]|~#]/g, '\\$&').replaceAll('<', '&lt;').replaceAll('{{', '&#123;&#123;'),
    )
    .join('')
