import path from 'node:path'
import { defineConfig } from 'vitepress'
import { book, isPage, lessons, publicDirectory, rewrite, root, settings, site } from '../lib/book.js'
import { fencePlugin } from '../lib/fences.js'
import { generate } from '../lib/generate.js'
import { lessonPlugin } from '../lib/lesson.js'
import { linkPlugin, slugify } from '../lib/links.js'
import { relative } from '../lib/relative.js'
import { sidebar } from '../lib/sidebar.js'

generate()

const base = process.env.SITE_BASE || '/'
const built = path.join(site, 'build')
const generated = 'docs/site/build/pages/'
const lessonIn = /^(?:lessons|exercises)\/([^/]+)\//

export default defineConfig({
  title: 'Turnstile',
  description: 'A workbook on files, atomicity and locks, in Go',
  lang: 'en',
  base,
  srcDir: root,
  outDir: path.join(built, 'dist'),
  cacheDir: path.join(built, 'cache'),
  // VitePress takes every Markdown file below srcDir, those that git ignores too.
  srcExclude: [
    'bench/**', 'internal/**', 'solutions/**', 'exercises/*/*/**', 'lessons/*/*/**', 'docs/tools/**', 'docs/workshop/*/**', 'docs/site/!(build)/**',
    'docs/site/*.md', ...book.files.filter((name) => name.endsWith('.md') && !isPage(name)),
  ],
  rewrites: rewrite,
  metaChunk: true,
  head: [['link', { rel: 'icon', href: base + 'turnstile.svg', type: 'image/svg+xml' }]],

  markdown: {
    theme: { light: 'github-light-high-contrast', dark: 'github-dark-high-contrast' }, // the others have comments that are too pale
    anchor: { slugify },
    config(md) {
      linkPlugin(md)
      lessonPlugin(md)
      fencePlugin(md)
    },
  },

  transformPageData(page) {
    const found = lessonIn.exec(page.relativePath)
    const lesson = found && lessons.find((candidate) => candidate.id === found[1])
    if (lesson) page.lesson = { id: lesson.id, number: lesson.number, title: lesson.title, read: lesson.read, do: lesson.do }
    if (/^reference\/(errors|glossary)\.md$/.test(page.relativePath)) page.frontmatter.aside = false // tables need the width
    if (page.filePath.startsWith(generated)) page.filePath = page.relativePath
  },

  // In the files themselves the links are relative, so that the pages can be read without a server, straight from a directory.
  transformHtml: (html, _, { page }) => (page === '404.md' ? undefined : relative(html, page, base)), // 404.html is shown at any address

  vite: {
    publicDir: publicDirectory,
    resolve: {
      // The pages are outside docs/site, where no node_modules is above them: they need to be told where vue is.
      alias: [
        { find: /^.*\/VPSidebarGroup\.vue$/, replacement: path.join(site, '.vitepress/theme/SidebarGroups.vue') },
        { find: /^vue$/, replacement: path.join(site, 'node_modules/vue/dist/vue.runtime.esm-bundler.js') },
        { find: /^vue\/server-renderer$/, replacement: path.join(site, 'node_modules/@vue/server-renderer/dist/server-renderer.esm-bundler.js') },
      ],
    },
    server: { fs: { allow: [root] } },
    build: { chunkSizeWarningLimit: 4000 },
  },

  themeConfig: {
    siteTitle: 'Turnstile',
    logo: '/turnstile.svg',
    nav: [
      { text: 'Lessons', link: `/lessons/${lessons[0].id}/`, activeMatch: '^/lessons/' },
      { text: 'Pitfalls', link: '/reference/pitfalls.html' },
      { text: 'Reference', link: '/reference/', activeMatch: '^/reference/(?!pitfalls)' },
    ],
    sidebar: sidebar(),
    outline: { level: [2, 3], label: 'On this page' },
    ...(settings.repo && {
      editLink: { pattern: `${settings.repo}/edit/${settings.branch}/:path`, text: 'Edit this page' },
      socialLinks: [{ icon: 'git', link: settings.repo, ariaLabel: 'Code host' }],
    }),
    search: {
      provider: 'local',
      options: {
        // Sources, references and hints would answer before the pages that explain.
        _render(source, env, md) {
          if (/^---\n[^]*?\nsearch: false\n[^]*?---\n/.test(source) || /\/hints\.md$/.test(env.path)) return ''
          return md.render(source, env)
        },
      },
    },
  },
})
