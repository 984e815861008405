// relative makes the links of a finished page relative: page is its path below the site's base.
export function relative(html, page, base) {
  const up = '../'.repeat(page.split('/').length - 1)
  return html.replace(/\b(href|src)="(\/[^"]*)"/g, (whole, attribute, to) => {
    if (to.startsWith('//') || !to.startsWith(base)) return whole
    const [, path, rest] = /^([^#?]*)(.*)$/.exec(to.slice(base.length))
    return `${attribute}="${up}${path}${path === '' || path.endsWith('/') ? 'index.html' : ''}${rest}"`
  })
}
