// Drawings: an SVG in drawings/ takes the place of a picture in text, which stays below it as its twin. drawings.json says which picture:
// the page, and the first line of the block. `text` is the SHA-256 of the block that the drawing was made from: where the block has
// changed since, the page shows the block, and `make docs-test` fails until the drawing has been looked at.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { site } from './book.js'

export const drawings = JSON.parse(readFileSync(path.join(site, 'drawings/drawings.json'), 'utf8'))
export const hash = (text) => createHash('sha256').update(text.trimEnd()).digest('hex').slice(0, 16)
export const stale = new Set(drawings)

const svgOf = (drawing) =>
  readFileSync(path.join(site, 'drawings', drawing.svg), 'utf8').replace(/<\?xml.*?\?>\s*|<!--.*?-->\s*/gs, '').replace(/\n\s*/g, '\n').trim()

export function drawingOf(page, content, text) {
  const drawing = drawings.find((candidate) => candidate.page === page && content.trimStart().startsWith(candidate.begins))
  if (!drawing || drawing.text !== hash(content)) return undefined
  stale.delete(drawing)
  return `<figure class="drawing"><div class="drawing-box" tabindex="0" role="group" aria-label="Drawing: ${drawing.title}">${svgOf(drawing)}</div>
<details><summary>The same in text</summary>${text}</details></figure>\n`
}
