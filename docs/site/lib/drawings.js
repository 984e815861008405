// Drawings: an SVG in drawings/ takes the place of a picture in text, which stays below it as its twin. drawings.json says which picture:
// the page, and how the block begins. `text` is the SHA-256 of the block that the drawing was made from: where the block has changed
// since, the page shows the block, and `make docs-test` fails until the drawing has been looked at. A drawing with a `twin`, a text of its
// own, stands below the block, or below the first paragraph under the heading that `below` names.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { site } from './book.js'

const inDrawings = (name) => readFileSync(path.join(site, 'drawings', name), 'utf8')
const drawings = JSON.parse(inDrawings('drawings.json'))
const hash = (text) => createHash('sha256').update(text.trimEnd()).digest('hex').slice(0, 16)

const figure = (drawing, twin) =>
  `<figure class="drawing"><div class="drawing-box" tabindex="0" role="group" aria-label="Drawing: ${drawing.title}">${inDrawings(drawing.svg)}</div>
<details><summary>The same in text</summary>

${twin}</details></figure>\n`

// drawingOf returns what a page shows for the block with this content, text being the block itself; undefined if nothing is drawn of it.
// plain renders a text as a block.
export function drawingOf(page, content, text, plain) {
  const drawing = drawings.find(({ page: on, begins }) => on === page && begins && content.trimStart().startsWith(begins))
  if (!drawing) return undefined
  if (drawing.text !== hash(content)) {
    console.warn(`${page}: the text of drawings/${drawing.svg} has changed; its hash is now ${hash(content)}`)
    return undefined
  }
  return drawing.twin ? text + figure(drawing, plain(inDrawings(drawing.twin))) : figure(drawing, text)
}

// drawingBelow returns the drawing that a page shows below the first paragraph under a heading, undefined if there is none.
export function drawingBelow(page, heading, plain) {
  const drawing = drawings.find(({ page: on, below }) => on === page && below === heading)
  return drawing && figure(drawing, plain(inDrawings(drawing.twin)))
}
