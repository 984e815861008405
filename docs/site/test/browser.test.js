// What a reader sees, asked of a headless Chromium.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { allPages, dist, launch, serve } from './served.js'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const phone = { width: 375, height: 740 }
const lesson = '/lessons/06_atomic_replace/'
const isCode = (page) => /\.go\.html$/.test(page)
const templates = ['/', lesson, '/lessons/06_atomic_replace/hints.html', '/lessons/06_atomic_replace/solution.html', '/exercises/06_atomic_replace/',
  '/exercises/06_atomic_replace/busy/', '/lessons/06_atomic_replace/inherit_unix_test.go.html', '/reference/pitfalls.html', '/reference/wrong-answers.html',
  '/reference/errors.html']

let server
let origin
let browser
before(async () => {
  ;({ server, origin } = await serve())
  browser = await launch()
})
after(async () => {
  await browser?.close()
  server?.close()
})

// open shows a page in a context of its own and collects what goes wrong in it.
async function open(address, options = {}) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  context.setDefaultTimeout(300_000) // a busy machine is no reason to fail
  const page = await context.newPage()
  const troubles = []
  page.on('console', (message) => message.type() === 'error' && troubles.push(`${page.url()}: ${message.text()}`))
  page.on('pageerror', (error) => troubles.push(`${page.url()}: ${error.message}`))
  page.on('request', (request) => {
    if (!request.url().startsWith(origin + '/') && !/^(data|blob):/.test(request.url())) troubles.push(`${page.url()} asks for ${request.url()}`)
  })
  page.on('response', (response) => response.status() >= 400 && troubles.push(`${response.status()} ${response.url()}`))
  await page.goto(origin + address)
  return { context, page, troubles }
}

const ready = (page) => page.waitForFunction(() => !document.querySelector('#app') || document.querySelector('#app').__vue_app__)

test('every page loads: no error, no request that leaves, no broken picture, no sideways scroll on a phone', async () => {
  const { context, page, troubles } = await open('/', { viewport: phone })
  const perLesson = new Set()
  const pages = allPages().filter((name) => {
    if (!isCode(name)) return true
    const directory = name.replace(/[^/]*$/, '') // pages of code have one form: one of each directory
    return !perLesson.has(directory) && perLesson.add(directory)
  })
  assert.ok(pages.length > 100, `${pages.length} pages`)
  for (const name of pages) {
    await page.goto(origin + name)
    await ready(page)
    const seen = await page.evaluate(() => ({
      title: document.querySelector('main h1, .VPDoc h1')?.textContent ?? '',
      wide: document.documentElement.scrollWidth > innerWidth,
      broken: [...document.images].filter((image) => image.complete && image.naturalWidth === 0).map((image) => image.src),
    }))
    if (!seen.title) troubles.push(`${name} has no title`)
    if (seen.wide) troubles.push(`${name} is wider than a phone`)
    troubles.push(...seen.broken)
  }
  assert.deepEqual(troubles, [])
  await context.close()
})

for (const colorScheme of ['light', 'dark']) {
  test(`axe finds nothing on a page of each kind, ${colorScheme}`, async () => {
    const found = []
    const { context, page, troubles } = await open('/', { colorScheme })
    for (const name of templates) {
      await page.goto(origin + name)
      await ready(page)
      await page.evaluate(() => document.querySelectorAll('details').forEach((fold) => { fold.open = true }))
      await page.evaluate(axe)
      const result = await page.evaluate(() => axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }))
      for (const violation of result.violations) {
        found.push(`${name}: ${violation.id}: ${violation.nodes.length} × ${violation.nodes[0].target} ${violation.nodes[0].any[0]?.message ?? violation.help}`)
      }
    }
    assert.deepEqual([...found, ...troubles], [])
    await context.close()
  })
}

test('search finds a pitfall by its symptom', async () => {
  const { context, page, troubles } = await open('/')
  await ready(page)
  await page.keyboard.press('/')
  await page.locator('.VPLocalSearchBox input').fill('all hang after a timeout')
  const first = page.locator('.VPLocalSearchBox .result').first()
  await first.waitFor()
  const links = await page.locator('.VPLocalSearchBox .result').evaluateAll((results) => results.map((result) => result.getAttribute('href')))
  assert.ok(links.slice(0, 3).some((link) => /12_contention|pitfalls/.test(link)), links.join(' '))
  await first.click()
  await page.waitForURL(/12_contention|pitfalls/)
  assert.deepEqual(troubles, [])
  await context.close()
})

test('a claim says by keyboard which test proves it, and leads there', async () => {
  const { context, page, troubles } = await open(lesson)
  await ready(page)
  const proof = page.locator('a.proof').first()
  const name = await proof.getAttribute('data-test')
  await proof.evaluate((link) => {
    const before = [...document.querySelectorAll('a, button, summary, [tabindex="0"]')].filter((node) => node.compareDocumentPosition(link) & Node.DOCUMENT_POSITION_FOLLOWING && node.offsetParent)
    before.at(-1).focus()
  })
  await page.keyboard.press('Tab')
  const tip = page.getByRole('tooltip')
  await tip.waitFor()
  assert.match(await tip.innerText(), new RegExp(name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
  assert.match(await tip.innerText(), /Linux/)
  assert.equal(await proof.getAttribute('aria-describedby'), 'proof-tip')
  await page.keyboard.press('Escape')
  assert.equal(await tip.count(), 0)
  await page.keyboard.press('Enter')
  await page.waitForURL(/_test\.go\.html#/)
  const line = page.locator('.line:has(:target)')
  assert.ok((await line.innerText()).includes(name), await line.innerText())
  assert.ok(await line.evaluate((node) => node.contains(document.activeElement)), 'the line has the focus')
  const box = await line.boundingBox()
  assert.ok(box.y > 40 && box.y < 700, `the line is at ${box.y}`)
  assert.deepEqual(troubles, [])
  await context.close()
})

test('the reference part is folded, and a link into it opens it', async () => {
  const { context, page, troubles } = await open(lesson)
  await ready(page)
  const fold = page.locator('details.reference-part')
  assert.equal(await fold.getAttribute('open'), null)
  assert.ok(await page.locator('h2#takeaways').isVisible())
  assert.ok(!(await page.locator('h2#gotchas').isVisible()))
  await page.goto(origin + lesson + '#gotchas')
  await page.locator('h2#gotchas').waitFor()
  await page.goto(origin + '/reference/pitfalls.html')
  await ready(page)
  await page.locator('.vp-doc h2 a[href$="12_contention/#gotchas"]').click()
  await page.locator('h2#gotchas').waitFor()
  assert.deepEqual(troubles, [])
  await context.close()
})

test('hints and the reference answer are behind folds', async () => {
  const { context, page } = await open('/lessons/06_atomic_replace/hints.html')
  assert.ok((await page.locator('details.hint').count()) > 8)
  assert.equal(await page.locator('details.hint[open]').count(), 0)
  await page.goto(origin + '/lessons/06_atomic_replace/solution.html')
  assert.ok((await page.locator('details.spoiler').count()) >= 3)
  assert.equal(await page.locator('details.spoiler[open]').count(), 0)
  await context.close()
})

test('dark mode is kept from page to page, those of code included', async () => {
  const { context, page, troubles } = await open(lesson, { colorScheme: 'light', viewport: { width: 1400, height: 900 } })
  await ready(page)
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  const light = await back()
  await page.locator('.VPNavBar .VPSwitchAppearance').first().click()
  await page.waitForFunction(() => document.documentElement.classList.contains('dark'))
  assert.notEqual(await back(), light)
  await page.goto(origin + '/lessons/01_open_modes/open_test.go.html')
  assert.notEqual(await back(), light)
  assert.deepEqual(troubles, [])
  await context.close()
})

test('a run is copied as its commands, without what they print', async () => {
  const { context, page } = await open('/lessons/01_open_modes/', { permissions: ['clipboard-read', 'clipboard-write'] })
  await ready(page)
  await page.evaluate(() => document.querySelectorAll('details').forEach((fold) => { fold.open = true }))
  const block = page.locator('.fence-console').first()
  await block.hover()
  await block.locator('button.copy').click()
  await block.locator('button.copy.copied').waitFor()
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'go run ./exercises race 1')
  await context.close()
})

test('the keyboard gets past the navigation, and the landmarks are there', async () => {
  const { context, page } = await open(lesson)
  await ready(page)
  await page.keyboard.press('Tab')
  assert.match(await page.evaluate(() => document.activeElement.textContent), /skip to content/i)
  for (const landmark of ['banner', 'main']) assert.ok((await page.getByRole(landmark).count()) >= 1, landmark)
  assert.ok((await page.getByRole('navigation').count()) >= 2)
  await context.close()
})

test('paper shows the folded parts and not the navigation', async () => {
  const { context, page } = await open(lesson)
  await ready(page)
  await page.emulateMedia({ media: 'print' })
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')))
  assert.ok(await page.locator('h2#gotchas').isVisible())
  assert.ok(!(await page.locator('.VPNav').isVisible()))
  assert.ok(!(await page.locator('.VPSidebar').isVisible()))
  await context.close()
})

test('from page to page, the links of the sidebar lead where they did', async () => {
  const { context, page, troubles } = await open('/', { viewport: { width: 1400, height: 900 } })
  await ready(page)
  for (const title of ['Atomic replace', 'Pitfalls by symptom', 'Contention', 'Begin']) {
    const link = page.locator('.VPSidebar a', { hasText: title })
    const to = new URL(await link.evaluate((node) => node.href))
    await link.click()
    await page.waitForURL((url) => url.pathname === to.pathname)
    await page.locator('.VPSidebar a[aria-current="page"]', { hasText: title }).waitFor()
  }
  assert.equal(new URL(page.url()).pathname, '/')
  assert.deepEqual(troubles, [])
  await context.close()
})

test('without a server the pages can be read, and links lead on', async () => {
  const context = await browser.newContext()
  context.setDefaultTimeout(300_000)
  const page = await context.newPage()
  await page.goto(pathToFileURL(path.join(dist, 'index.html')).href)
  assert.equal(await page.locator('.VPSidebar').evaluate((node) => getComputedStyle(node).position), 'fixed', 'the style is there')
  await page.locator('.vp-doc a', { hasText: 'Atomic replace' }).click()
  await page.waitForURL(/06_atomic_replace\/index\.html$/)
  await page.locator('a.proof').first().click()
  await page.waitForURL(/_test\.go\.html#/)
  assert.ok(await page.locator('.line:has(:target)').isVisible())
  await page.locator('header a').first().click()
  await page.waitForURL(/dist\/index\.html$/)
  await context.close()
})
