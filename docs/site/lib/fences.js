// Code blocks, each rendered as what it is: code of a file, a captured run, what an Example prints, a picture in text.
import { drawingOf } from './drawings.js'
import { originOf } from './links.js'

const systemNames = { linux: 'Linux', darwin: 'macOS', freebsd: 'FreeBSD', windows: 'Windows' }
const captions = { console: 'Captured run', output: 'Printed by a tested example', sh: 'Terminal', json: 'JSON', python: 'Python', diff: 'Change' }

const figure = (kind, caption, block) =>
  `<figure class="fence fence-${kind}">${caption ? `<figcaption>${caption}</figcaption>` : ''}${block}</figure>\n`

function captionOf(kind, extra, md) {
  if (kind === 'go' && extra) return `<code>${md.utils.escapeHtml(extra.replace(/^(\.\.\/)+/, ''))}</code>`
  if (kind !== 'console') return captions[kind] ?? ''
  const words = extra.split(' ').filter(Boolean)
  const systems = words.find((word) => word !== 'varies')
  let text = captions.console
  if (systems) text += ` on ${systems.split(',').map((system) => systemNames[system] ?? system).join(', ')}`
  if (words.includes('varies')) text += '; the numbers are those of one run'
  return text
}

// A run is copied as its commands alone.
function consoleBlock(content, md) {
  const lines = content.replace(/\n$/, '').split('\n').map((line) => {
    const text = md.utils.escapeHtml(line)
    if (line.startsWith('$ ')) return `<span class="command">${text}</span>\n`
    return `<span class="vp-copy-ignore">${text}\n</span>`
  })
  return `<div class="language-shell"><button title="Copy the commands" class="copy"></button><span class="lang"></span><pre v-pre tabindex="0"><code>${lines.join('')}</code></pre></div>`
}

const plainBlock = (content, md) =>
  `<div class="language-txt"><pre v-pre tabindex="0"><code>${md.utils.escapeHtml(content.replace(/\n$/, ''))}</code></pre></div>`

export const textFigure = (content, md) => figure('text', '', plainBlock(content, md))

export function fencePlugin(md) {
  md.renderer.rules.table_open = () => '<div class="table-box" tabindex="0" role="group" aria-label="Table">\n<table>\n'
  md.renderer.rules.table_close = () => '</table>\n</div>\n'
  md.core.ruler.push('workbook_empty_heads', (state) => {
    state.tokens.forEach((token, i) => {
      if (token.type === 'th_open' && state.tokens[i + 1].content === '') token.tag = state.tokens[i + 2].tag = 'td' // it names no column
    })
  })
  const highlighted = md.renderer.rules.fence
  md.renderer.rules.fence = (tokens, index, options, env, self) => {
    const token = tokens[index]
    const [kind, ...rest] = token.info.trim().split(' ')
    const caption = captionOf(kind, rest.join(' '), md)
    if (kind === 'console') return figure(kind, caption, consoleBlock(token.content, md))
    if (kind === 'output') return figure(kind, caption, plainBlock(token.content, md))
    const block = kind === 'text' ? textFigure(token.content, md) : figure(kind || 'txt', caption, highlighted(tokens, index, options, env, self))
    return drawingOf(originOf(env), token.content, block, (content) => textFigure(content, md)) ?? block
  }
}
