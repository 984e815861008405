// The reader's choice of dark or light, as the rest of the site keeps it.
const choice = localStorage.getItem('vitepress-theme-appearance') || 'auto'
if (choice === 'dark' || (choice === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches)) document.documentElement.classList.add('dark')
addEventListener('DOMContentLoaded', () => {
  const show = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.focus({ preventScroll: true })
  addEventListener('hashchange', show)
  show()
})
