// Pictures of a page of each kind, in both themes and at phone width, for the eyes of whoever changes the design:
// node test/screenshots.js DIRECTORY [ADDRESS…]
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { launch, serve } from './served.js'

const [directory, ...asked] = process.argv.slice(2)
const pages = asked.length > 0 ? asked : ['/', '/lessons/06_atomic_replace/', '/lessons/12_contention/', '/lessons/06_atomic_replace/hints.html',
  '/lessons/06_atomic_replace/solution.html', '/exercises/06_atomic_replace/', '/lessons/06_atomic_replace/inherit_unix_test.go.html',
  '/reference/pitfalls.html', '/reference/wrong-answers.html', '/reference/errors.html']
const { server, origin } = await serve()
const browser = await launch()
mkdirSync(directory, { recursive: true })
for (const [name, options] of [
  ['light', { colorScheme: 'light', viewport: { width: 1400, height: 1000 } }],
  ['dark', { colorScheme: 'dark', viewport: { width: 1400, height: 1000 } }],
  ['phone', { colorScheme: 'light', viewport: { width: 375, height: 740 } }],
]) {
  const context = await browser.newContext({ reducedMotion: 'reduce', ...options })
  context.setDefaultTimeout(300_000)
  const page = await context.newPage()
  for (const address of pages) {
    await page.goto(origin + address)
    await page.waitForTimeout(300)
    const file = address.replace(/[/#.]+/g, '-').replace(/^-|-$/g, '') || 'home'
    await page.screenshot({ path: path.join(directory, `${file}.${name}.png`), fullPage: process.env.FULL === '1' })
  }
  await context.close()
}
await browser.close()
server.close()
