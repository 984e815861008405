// What can be asked of the built files without a browser.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { allPages, dist, fileOf, site } from './served.js'

const pages = allPages()
const html = new Map(pages.map((page) => [page, readFileSync(fileOf(page), 'utf8')]))
const unescape = (text) => text.replaceAll('&amp;', '&').replaceAll('&quot;', '"')
const ids = new Map()
function idsOf(page) {
  if (!ids.has(page)) ids.set(page, new Set([...html.get(page).matchAll(/\sid="([^"]*)"/g)].map((match) => unescape(match[1]))))
  return ids.get(page)
}

test('each link and each image of each page leads somewhere', () => {
  const dead = []
  let links = 0
  for (const [page, text] of html) {
    for (const [, attribute] of text.matchAll(/<(?:a|img|link|script)\s[^>]*?\b(?:href|src)="([^"]*)"/g)) {
      const to = new URL(unescape(attribute), 'http://site' + page)
      if (to.origin !== 'http://site') continue
      links++
      const name = decodeURIComponent(to.pathname)
      if (!existsSync(fileOf(name)) || statSync(fileOf(name)).isDirectory()) dead.push(`${page}: ${attribute}`)
      else if (to.hash && html.has(name) && !idsOf(name).has(decodeURIComponent(to.hash.slice(1)))) dead.push(`${page}: ${attribute} (no such place)`)
    }
  }
  assert.ok(links > 1000, `${links} links found`)
  assert.deepEqual(dead, [])
})

test('each lesson links its claims to tests', () => {
  const lessons = pages.filter((page) => /^\/lessons\/[^/]+\/$/.test(page))
  assert.ok(lessons.length >= 15)
  for (const page of lessons) {
    const proofs = [...html.get(page).matchAll(/<a [^>]*class="proof"[^>]*>/g)].map((match) => match[0])
    assert.ok(proofs.length >= 10, `${page} has ${proofs.length} proofs`)
    for (const proof of proofs) {
      assert.match(proof, /href="[^"]+_test\.go\.html#[^"]+"/)
      assert.match(proof, /data-test="[^"]+"/)
      assert.match(proof, /data-ran="(Run|Not run) [^"]+"/)
    }
  }
})

test('the page of a wrong answer index row leads to the test that refuses it', () => {
  const rows = [...html.get('/reference/wrong-answers.html').matchAll(/<a href="[^"]*_test\.go\.html#[^"]+"/g)]
  assert.ok(rows.length > 400, `${rows.length} rows`)
})

test('no page asks another machine for a script, a style, a picture or a font', () => {
  for (const [page, text] of html) {
    for (const [tag] of text.matchAll(/<(?:script|img|iframe|source|link)\s[^>]*>/g)) assert.doesNotMatch(tag, /(?:src|href)="(?:https?:)?\/\//, page)
  }
})

// What a browser must fetch to show a page for the first time. The search index comes when a reader searches.
test('the largest page is under 300 KB over the wire', (t) => {
  const wire = new Map()
  const sizeOf = (file) => {
    if (!wire.has(file)) wire.set(file, gzipSync(readFileSync(file)).length)
    return wire.get(file)
  }
  const sizes = pages.map((page) => {
    const parts = new Set([fileOf(page)])
    for (const [, kind, attribute] of html.get(page).matchAll(/<(script|link|img)\s([^>]*)>/g)) {
      const to = /\b(?:href|src)="([^"]*)"/.exec(attribute)?.[1]
      if (to?.startsWith('data:')) continue // a part of the page
      if (to && (kind !== 'link' || /rel="(?:stylesheet|preload|modulepreload|icon)/.test(attribute))) parts.add(path.join(dist, new URL(to, 'http://site' + page).pathname))
    }
    return { page, bytes: [...parts].reduce((sum, file) => sum + sizeOf(file), 0) }
  }).sort((a, b) => b.bytes - a.bytes)
  for (const { page, bytes } of sizes.slice(0, 3)) t.diagnostic(`${(bytes / 1000).toFixed(0)} KB ${page}`)
  assert.ok(sizes[0].bytes < 300_000, `${sizes[0].page}: ${sizes[0].bytes} bytes`)
})

test('each drawing is that of the text which it replaces', () => {
  const drawings = JSON.parse(readFileSync(path.join(site, 'drawings/drawings.json'), 'utf8'))
  const lost = drawings.filter((drawing) => {
    const page = '/' + drawing.page.replace(/README\.md$/, '')
    return !html.get(page)?.includes(`aria-label="Drawing: ${drawing.title.replaceAll('"', '&quot;')}"`)
  })
  assert.deepEqual(lost.map((drawing) => drawing.svg), [], 'the text has changed: look at the drawing, then write the new hash, which the build has printed')
})
