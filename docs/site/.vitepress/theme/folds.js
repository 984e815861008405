// A link to a heading inside a fold opens the fold, and paper shows what every fold holds.
function reveal(fragment) {
  const target = fragment && document.getElementById(decodeURIComponent(fragment.slice(1)))
  if (!target) return
  let opened = false
  for (let fold = target.closest('details'); fold; fold = fold.parentElement.closest('details')) {
    opened ||= !fold.open
    fold.open = true
  }
  if (opened) target.scrollIntoView()
}

export function openForFragments(router) {
  const afterRouteChange = router.onAfterRouteChange
  router.onAfterRouteChange = async (to) => {
    await afterRouteChange?.(to)
    setTimeout(() => reveal(location.hash)) // once the page has been put into the document
  }
  addEventListener('hashchange', () => reveal(location.hash))
  document.addEventListener('click', (event) => {
    const link = event.target.closest?.('a[href*="#"]')
    if (link && link.hash === location.hash && link.pathname === location.pathname) reveal(link.hash)
  })
  let closed = []
  addEventListener('beforeprint', () => {
    closed = [...document.querySelectorAll('.vp-doc details:not([open])')]
    for (const fold of closed) fold.open = true
  })
  addEventListener('afterprint', () => {
    for (const fold of closed) fold.open = false
    closed = []
  })
}
