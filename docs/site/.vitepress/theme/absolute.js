// The built pages have relative links, for readers without a server. Where the router runs, it shows the next page in the same document, at
// another address: what stays on the screen needs links that mean the same from there.
export function makeAbsolute() {
  for (const node of document.querySelectorAll('a[href], img[src], link[rel="icon"]')) {
    const name = node.hasAttribute('src') ? 'src' : 'href'
    const written = node.getAttribute(name)
    if (/^([a-z]+:|[/#])/.test(written)) continue
    const { pathname, search, hash } = new URL(written, location.href)
    node.setAttribute(name, pathname.replace(/(^|\/)index\.html$/, '$1') + search + hash)
  }
}
