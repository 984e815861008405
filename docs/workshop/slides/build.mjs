// Builds the slides as HTML and PDF into build/, and checks in Chromium that nothing on a slide lies outside of it.
//
//   node build.mjs            all of it
//   node build.mjs --html     HTML and the check, without the PDFs
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import puppeteer from 'puppeteer-core'

const here = path.dirname(fileURLToPath(import.meta.url))
const build = path.join(here, 'build')
const decks = readdirSync(here).filter((name) => /^part\d+\.md$/.test(name)).sort()

const chromium = [process.env.CHROME_PATH, '/usr/bin/chromium', '/usr/bin/google-chrome'].find((file) => file && existsSync(file))
if (!chromium) {
  console.error('no Chromium: install it (Debian: apt-get install chromium), or set CHROME_PATH to one')
  process.exit(1)
}
process.env.CHROME_PATH = chromium
process.env.CHROME_NO_SANDBOX = '1' // the pages are ours, and root has no sandbox

function marp(...options) {
  const program = path.join(here, 'node_modules', '@marp-team', 'marp-cli', 'marp-cli.js')
  const result = spawnSync(process.execPath, [program, ...options, '--no-config-file', '--allow-local-files', '--theme-set', 'theme.css'], {
    cwd: here,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (result.status !== 0) process.exit(1)
}

// Marp shrinks a code block that is too wide. What is too high for the slide it cuts off without a word, so the page itself is asked.
async function overflows(page, deck) {
  await page.goto(pathToFileURL(path.join(build, deck.replace('.md', '.html'))).href)
  return page.evaluate(() => {
    const wrong = []
    const slides = document.querySelectorAll('section[data-marpit-pagination], section[id]')
    slides.forEach((slide, i) => {
      const tooHigh = slide.scrollHeight > slide.clientHeight + 1
      const tooWide = [slide, ...slide.querySelectorAll('pre, table, svg')].some((e) => e.scrollWidth > e.clientWidth + 1)
      if (tooHigh || tooWide) {
        const title = slide.querySelector('h1, h2')?.textContent ?? 'no title'
        wrong.push(`slide ${i + 1} (${title}) is too ${tooHigh ? 'high' : 'wide'}: ${slide.scrollHeight} of ${slide.clientHeight}`)
      }
    })
    return { count: slides.length, wrong }
  })
}

mkdirSync(build, { recursive: true })
for (const deck of decks) {
  marp(deck, '--output', path.join('build', deck.replace('.md', '.html')))
  if (!process.argv.includes('--html')) marp(deck, '--pdf', '--pdf-outlines', '--output', path.join('build', deck.replace('.md', '.pdf')))
}

const browser = await puppeteer.launch({ executablePath: chromium, args: ['--no-sandbox', '--disable-gpu'] })
let failed = false
try {
  const page = await browser.newPage()
  await page.setViewport({ width: 1280, height: 720 })
  for (const deck of decks) {
    const { count, wrong } = await overflows(page, deck)
    if (count === 0) wrong.push('no slide was found')
    console.log(`${deck}: ${count} slides, ${wrong.length} of them too big`)
    wrong.forEach((what) => console.error(`${deck}: ${what}: say less, or split it`))
    failed ||= wrong.length > 0
  }
} finally {
  await browser.close()
}
process.exit(failed ? 1 : 0)
