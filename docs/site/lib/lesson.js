// The parts of a lesson page that the site folds: the reference part as a whole, and each hint.
import { existsSync } from 'node:fs'
import path from 'node:path'
import { root, site } from './book.js'
import { drawingBelow } from './drawings.js'
import { textFigure } from './fences.js'
import { originOf } from './links.js'

const reference = ['In depth', 'Gotchas', 'On each system', 'Coming from Python', 'Going deeper']
const lessonForm = /^lessons\/([^/]+)\/README\.md$/

const html = (state, content) => {
  const token = new state.Token('html_block', '', 0)
  token.content = content
  return token
}

const headingAt = (tokens, i) => (tokens[i].type === 'heading_open' && tokens[i].tag === 'h2' ? tokens[i + 1].content : undefined)

// foldReference puts what follows the takeaways behind one fold.
function foldReference(state) {
  const first = state.tokens.findIndex((_, i) => reference.includes(headingAt(state.tokens, i)))
  if (first < 0) return
  const names = state.tokens.map((_, i) => headingAt(state.tokens, i)).filter((name) => reference.includes(name))
  state.tokens.splice(first, 0, html(state, `<details class="reference-part"><summary><strong>For reference</strong> <span>${names.join(' · ')}</span></summary>\n`))
  state.tokens.push(html(state, '</details>\n'))
}

// A lesson has a place for one Vue component, slots/NN_name.vue, below "Why it happens".
function addSlot(state, lesson) {
  if (!existsSync(path.join(site, 'slots', lesson + '.vue'))) return
  const why = state.tokens.findIndex((_, i) => headingAt(state.tokens, i) === 'Why it happens')
  const next = state.tokens.findIndex((_, i) => i > why && headingAt(state.tokens, i) !== undefined)
  if (why >= 0 && next > why) state.tokens.splice(next, 0, html(state, `<LessonSlot lesson="${lesson}" />\n`))
}

function addDrawings(state, page, md) {
  for (let i = state.tokens.length - 1; i >= 0; i--) {
    const heading = state.tokens[i].type === 'heading_open' ? state.tokens[i + 1].content : undefined
    const drawing = heading && drawingBelow(page, heading, (text) => textFigure(text, md))
    const end = drawing ? state.tokens.findIndex((token, j) => j > i && token.type === 'paragraph_close') : -1
    if (end >= 0) state.tokens.splice(end + 1, 0, html(state, drawing))
  }
}

// foldHints makes each entry of a numbered list a fold of its own.
function foldHints(state) {
  const tokens = []
  let total = 0
  let number = 0
  state.tokens.forEach((token, i) => {
    if (token.type === 'ordered_list_open') {
      number = 0
      total = 0
      for (let j = i + 1; state.tokens[j].type !== 'ordered_list_close'; j++) if (state.tokens[j].type === 'list_item_open') total++
    } else if (token.type === 'list_item_open') {
      number++
      tokens.push(html(state, `<details class="hint"><summary>Hint ${number} of ${total}</summary>\n`))
    } else if (token.type === 'list_item_close') tokens.push(html(state, '</details>\n'))
    else if (token.type !== 'ordered_list_close') {
      if (token.type.startsWith('paragraph_')) token.hidden = false
      tokens.push(token)
    }
  })
  state.tokens = tokens
}

export function lessonPlugin(md) {
  md.core.ruler.push('workbook_lesson', (state) => {
    const origin = originOf(state.env)
    const lesson = lessonForm.exec(origin)
    if (lesson && !state.env.frontmatter?.origin) {
      addSlot(state, lesson[1])
      addDrawings(state, origin, md)
      foldReference(state)
    } else if (/^exercises\/[^/]+\/hints\.md$/.test(origin)) foldHints(state)
  })
}
