// Writes the pages that the build makes from the repository. They are never checked in. Indexes, exercises and references are Markdown; a
// page says in `origin` which file its relative links are meant from. Sources are finished HTML: four hundred pages of code would take a
// bundler minutes and give a reader nothing.
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { address, anchor, book, children, escape, isDirectory, isFile, isPage, lessons, pages, publicDirectory, ran, read, settings, site } from './book.js'
import { relative } from './relative.js'
import { sourceHTML } from './sources.js'

// shown are the files and directories that a generated page shows. The links of other pages decide which.
export const shown = new Set()

const written = new Set()

function writeIfNew(file, text) {
  written.add(file)
  mkdirSync(path.dirname(file), { recursive: true })
  if (!statSync(file, { throwIfNoEntry: false }) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text)
}

const writePublic = (name, text) =>
  writeIfNew(path.join(publicDirectory, name), name.endsWith('.html') ? relative(text, name, process.env.SITE_BASE || '/') : text)

function write(name, front, body) {
  const lines = Object.entries({ editLink: false, ...front }).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
  const text = `---\n${lines.join('\n')}\n---\n\n${body}\n`
  writeIfNew(path.join(pages, name), text)
}

const fence = (kind, text) => {
  const ticks = '`'.repeat(Math.max(3, ...[...text.matchAll(/`+/g)].map((run) => run[0].length + 1)))
  return `${ticks}${kind}\n${text.replace(/\n*$/, '\n')}${ticks}`
}

const lessonOf = (name) => lessons.find((lesson) => name.split('/')[1] === lesson.id)
const label = (lesson) => `${lesson.number} · ${lesson.title}`

function findShown() {
  for (const name of book.files) {
    if (/^(lessons|exercises)\/[^/]+\/[^/]+\.go$/.test(name)) shown.add(name)
  }
  for (const lesson of lessons) {
    const directory = `exercises/${lesson.id}`
    shown.add(directory)
    for (const child of children(directory)) if (child.endsWith('/')) shown.add(directory + '/' + child.slice(0, -1))
  }
  const sources = book.files.filter((name) => isPage(name) || /^solutions\/[^/]+\/NOTES\.md$/.test(name))
  for (const source of sources) {
    for (const [, target] of read(source).matchAll(/\]\(([^)\s#]+)/g)) {
      if (/^[a-z]+:/.test(target)) continue
      const name = path.posix.join(path.posix.dirname(source), target).replace(/\/$/, '')
      if ((isFile(name) || isDirectory(name)) && !address(name, shown)) shown.add(name)
    }
  }
}

const onHost = (name) => (settings.repo ? `${settings.repo}/blob/${settings.branch}/${name}` : undefined)

function sourcePage(name) {
  const lesson = lessonOf(name)
  const isTest = name.endsWith('_test.go')
  const kind = !isTest ? 'Source' : name.startsWith('lessons/') ? 'Fact tests' : 'Tests of the exercise'
  const text = isTest ? `${ran(name)}. Where a test skips, the code says why.` : ''
  const files = [{ name, code: read(name), tests: book.tests[name] ?? [] }]
  writePublic(name + '.html', sourceHTML({ title: path.posix.basename(name), name, lesson, kind, text, files, host: onHost(name) }))
}

function directoryPage(name) {
  const lesson = lessonOf(name)
  const inside = children(name)
  const code = inside.filter((child) => child.endsWith('.go') && !child.endsWith('_test.go'))
  const files = code.map((child) => ({ name: child, code: read(`${name}/${child}`), tests: [] }))
  const others = inside.filter((child) => !code.includes(child))
    .map((child) => ({ name: child, to: address(path.posix.join(name, child).replace(/\/$/, ''), shown) }))
  writePublic(`${name}/index.html`, sourceHTML({ title: name + '/', name, lesson, kind: 'Directory', text: '', files, others, host: onHost(name) }))
}

const item = (directory, child) => {
  const to = address(path.posix.join(directory, child).replace(/\/$/, ''), shown)
  return to ? `* [\`${child}\`](${to})` : `* \`${child}\``
}

function exercisePage(lesson) {
  const directory = `exercises/${lesson.id}`
  const inside = children(directory).filter((child) => child !== 'hints.md')
  const tests = inside.filter((child) => child.endsWith('_test.go'))
  const given = inside.filter((child) => child.endsWith('/') && child !== 'race/')
  const list = (names) => names.map((name) => item(directory, name)).join('\n')
  const body = [
    `# Exercise ${label(lesson)}`,
    `The code as it is in \`${directory}/\`, with its tests. [The lesson](/lessons/${lesson.id}/) says what to repair.`,
    fence('sh', [`go run ./exercises check ${lesson.number * 1}`, `go run ./exercises hint ${lesson.number * 1}`,
      `go run ./exercises race ${lesson.number * 1}`].join('\n')),
    '## You edit', list(lesson.answers), '## Its tests', list(tests),
  ]
  if (given.length > 0) body.push('## Given', list(given))
  if (inside.includes('race/')) body.push('## The race demo', list(['race/']))
  write(`${directory}/index.md`, { aside: false, search: false, lesson: lesson.id }, body.join('\n\n'))
}

function solutionPage(lesson) {
  const notes = `solutions/${lesson.id}/NOTES.md`
  const fold = (summary, ...body) => [`<details class="spoiler"><summary>${summary}</summary>`, ...body, '</details>'].join('\n\n')
  const body = [`# Reference answer of ${label(lesson)}`, `One right answer of several. It is more use after your own.`]
  for (const file of lesson.answers) body.push(fold(`The code: ${file}`, fence('go', read(`solutions/${lesson.id}/${file}`))))
  if (isFile(notes)) body.push(fold('Why it is built this way', read(notes).replace(/^# .*\n/, '')))
  write(`lessons/${lesson.id}/solution.md`, { aside: false, search: false, lesson: lesson.id, origin: notes }, body.join('\n\n'))
}

// section returns the text below a second-level heading of a lesson, its links as seen from the directory of another lesson.
function section(lesson, heading) {
  const text = read(`lessons/${lesson.id}/README.md`)
  const start = text.indexOf(`\n## ${heading}\n`)
  if (start < 0) return undefined
  const rest = text.slice(start + heading.length + 5)
  const end = rest.indexOf('\n## ')
  return (end < 0 ? rest : rest.slice(0, end)).trim().replace(/\]\((?![a-z]+:|#)/g, `](../${lesson.id}/`)
    .replace(/\]\(#/g, `](../${lesson.id}/#`)
}

const collected = (heading, title, intro, name) => {
  const body = [`# ${title}`, intro]
  for (const lesson of lessons) {
    const text = section(lesson, heading)
    if (text) body.push(`## [${label(lesson)}](../${lesson.id}/)`, text.replace(/^###/gm, '####'))
  }
  write(`reference/${name}.md`, { origin: 'lessons/00_all/README.md', outline: 2 }, body.join('\n\n'))
}

function pitfallPage() {
  const body = ['# Pitfalls by symptom', `What you see, why, and what to do instead: the Gotchas of all lessons. A quiet mark leads to the test
that proves the row.`]
  for (const lesson of lessons) {
    const text = section(lesson, 'Gotchas')
    if (text) body.push(`## [${label(lesson)}](../${lesson.id}/#gotchas)`, text)
  }
  write('reference/pitfalls.md', { origin: 'lessons/00_all/README.md', outline: 2, pageClass: 'wide' }, body.join('\n\n'))
}

function wrongAnswersPage() {
  const all = lessons.reduce((sum, lesson) => sum + (lesson.wrong?.length ?? 0), 0)
  const body = [
    '# How to corrupt a JSON file',
    `The workbook knows ${all} ways, each of them code that a programmer could write, and that compiles. These are the wrong answers that the
tests of the exercises must refuse. Each row has the mistake, and the first words of the message by which a test refuses it.`,
  ]
  for (const lesson of lessons) {
    if (!lesson.wrong?.length) continue
    const rows = lesson.wrong.map((wrong) => {
      const test = book.tests[wrong.file].find((candidate) => candidate.path === wrong.path)
      const only = wrong.onlyOn?.length ? ` (${wrong.onlyOn.join(', ')})` : ''
      return `| ${escape(wrong.sentence)} | [${escape(wrong.says)}](/${wrong.file}.html#${anchor(test)})${only} |`
    })
    body.push(`## [${label(lesson)}](/lessons/${lesson.id}/)`, ['| the mistake | what the test says |', '|---|---|', ...rows].join('\n'))
  }
  write('reference/wrong-answers.md', { outline: 2, pageClass: 'wide' }, body.join('\n\n'))
}

function removeOld(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const name = path.join(directory, entry.name)
    if (entry.isDirectory()) removeOld(name)
    else if (!written.has(name)) rmSync(name)
  }
}

export function generate() {
  mkdirSync(pages, { recursive: true })
  findShown()
  for (const name of shown) {
    const exercise = lessons.find((lesson) => name === `exercises/${lesson.id}`)
    if (exercise) exercisePage(exercise)
    else if (isDirectory(name)) directoryPage(name)
    else sourcePage(name)
  }
  lessons.forEach(solutionPage)
  pitfallPage()
  collected('On each system', 'System differences', 'Linux, macOS and Windows side by side, as each lesson found them: which rows were run, and which are from documents.', 'systems')
  collected('Coming from Python', 'From Python to Go', 'What is the same in Python and what is not, lesson by lesson. The tests ask Python itself.', 'python')
  wrongAnswersPage()
  for (const name of readdirSync(path.join(site, 'public'))) writePublic(name, readFileSync(path.join(site, 'public', name), 'utf8'))
  removeOld(pages)
  removeOld(publicDirectory)
}
