// Links on the site: each leads to the page that shows its file, a claim to its test. One that leads nowhere fails the build.
import path from 'node:path'
import { address, anchor, book, isDirectory, isFile, isSource, ran, root } from './book.js'
import { shown } from './generate.js'

// originOf is the file, relative to the root, from which the page's relative links are meant.
export function originOf(env) {
  return env.frontmatter?.origin ?? path.relative(root, env.realPath ?? env.path).split(path.sep).join('/')
}

function resolve(href, origin) {
  if (/^[a-z]+:/.test(href) || href.startsWith('#') || href.startsWith('/')) return undefined
  const [target, fragment] = href.split('#')
  const name = path.posix.join(path.posix.dirname(origin), decodeURIComponent(target)).replace(/\/$/, '')
  if (!isFile(name) && !isDirectory(name)) throw new Error(`${origin}: the link ${href} leads nowhere`)
  const page = address(name, shown)
  if (!page) throw new Error(`${origin}: no page of the site shows ${name}`)
  return { name, href: page + (fragment ? '#' + fragment : '') }
}

function prove(token, name, title, origin) {
  const test = book.tests[name]?.find((candidate) => candidate.name === title || candidate.path === title)
  if (!test) throw new Error(`${origin}: ${name} has no test ${JSON.stringify(title)}`)
  token.attrSet('href', `${token.attrGet('href')}#${anchor(test)}`)
  token.attrJoin('class', 'proof')
  token.attrSet('data-test', test.name)
  token.attrSet('data-ran', ran(name))
  token.attrs = token.attrs.filter(([key]) => key !== 'title')
}

export function linkPlugin(md) {
  md.core.ruler.push('workbook_links', (state) => {
    const origin = originOf(state.env)
    for (const block of state.tokens) {
      for (const token of block.children ?? []) {
        if (token.type !== 'link_open') continue
        const found = resolve(token.attrGet('href'), origin)
        if (!found) {
          if (/^\/.*\.go\.html(#|$)/.test(token.attrGet('href'))) token.attrSet('target', '_self')
          continue
        }
        const title = token.attrGet('title')
        token.attrSet('href', found.href)
        if (isSource(found.name, shown)) token.attrSet('target', '_self')
        if (found.name.endsWith('_test.go') && title) prove(token, found.name, title, origin)
      }
    }
  })
}

// slugify makes the fragment of a heading as code hosts do, so that a link to a heading works on both. The second heading of a name gets
// its counter from the caller.
export const slugify = (heading) =>
  heading.trim().toLowerCase().replace(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '').replaceAll(' ', '-')
