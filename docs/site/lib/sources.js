// Pages of code, as finished HTML: one file with an anchor at each of its tests, or the files of a directory.
import { anchor } from './book.js'

const base = process.env.SITE_BASE || '/'
const escape = (text) => text.replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c])
const keyword = 'break|case|chan|const|continue|default|defer|else|fallthrough|for|func|go|goto|if|import|interface|map|package|range|return|select|struct|switch|type|var'
const token = new RegExp(`(//[^\\n]*|/\\*[^]*?\\*/)|("(?:[^"\\\\\\n]|\\\\.)*"|\`[^\`]*\`|'(?:[^'\\\\\\n]|\\\\.)+')|\\b(${keyword})\\b`, 'g')

// highlight colours Go's comments, strings and keywords. A token over several lines is closed and opened again at each line end.
function highlight(code) {
  let html = ''
  let end = 0
  for (const match of code.matchAll(token)) {
    const kind = match[1] ? 'c' : match[2] ? 's' : 'k'
    html += escape(code.slice(end, match.index))
    html += escape(match[0]).split('\n').map((line) => `<span class="${kind}">${line}</span>`).join('\n')
    end = match.index + match[0].length
  }
  return html + escape(code.slice(end))
}

function listing({ name, code, tests }) {
  const byLine = new Map()
  for (const test of tests) byLine.set(test.line, [...(byLine.get(test.line) ?? []), test])
  const html = name.endsWith('.go') ? highlight(code) : escape(code)
  const taken = new Set() // a helper's subtests belong to each test that calls it
  const lines = html.replace(/\n$/, '').split('\n').map((line, i) => {
    const ids = (byLine.get(i + 1) ?? []).map(anchor).filter((id) => !taken.has(id) && taken.add(id))
    const places = ids.map((id) => `<i id="${id}" tabindex="-1"></i>`).join('')
    return `<span class="line">${places}${line}\n</span>`
  })
  return `<pre tabindex="0" aria-label="${escape(name)}"><code>${lines.join('')}</code></pre>`
}

function claims(tests) {
  const proofs = tests.filter((test) => !test.group)
  if (proofs.length === 0) return ''
  const items = proofs.map((test) => `<li><a href="#${anchor(test)}">${escape(test.name)}</a></li>`)
  return `<details><summary>What it tests: ${proofs.length}</summary><ul>${items.join('')}</ul></details>`
}

export function sourceHTML({ title, name, lesson, kind, text, files, others = [], host }) {
  const of = lesson ? ` of <a href="${base}lessons/${lesson.id}/">${lesson.number} · ${escape(lesson.title)}</a>` : ''
  const entries = others.map((other) => {
    const code = `<code>${escape(other.name)}</code>`
    return `<li>${other.to ? `<a href="${base}${other.to.slice(1)}">${code}</a>` : code}</li>`
  })
  const shown = files.map((file) => (files.length > 1 || file.name !== name ? `<h2>${escape(file.name)}</h2>` : '') + claims(file.tests) + listing(file))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escape(title)} | Turnstile</title>
<link rel="icon" href="${base}turnstile.svg" type="image/svg+xml">
<link rel="stylesheet" href="${base}source.css">
<script src="${base}source.js"></script>
</head>
<body>
<header><a href="${base}"><img src="${base}turnstile.svg" alt="" width="24" height="24">Turnstile</a>${lesson ? `<nav aria-label="Lesson"><a href="${base}lessons/${lesson.id}/">Lesson ${lesson.number}</a><a href="${base}exercises/${lesson.id}/">Exercise</a></nav>` : ''}</header>
<main>
<h1>${escape(title)}</h1>
<p>${kind}${of}, <code>${escape(name)}</code>. ${escape(text)}${host ? ` <a href="${host}">On the code host</a>.` : ''}</p>
${shown.join('\n')}
${entries.length > 0 ? `${shown.length > 0 ? '<h2>Beside it</h2>' : ''}<ul>${entries.join('')}</ul>` : ''}
</main>
</body>
</html>
`
}
