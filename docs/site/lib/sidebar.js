import { book, isFile, read, rewrite } from './book.js'

const titleOf = (name) => /^# (.*)$/m.exec(read(name))[1]
const link = (name) => '/' + rewrite(name).replace(/(^|\/)index\.md$/, '$1').replace(/\.md$/, '.html')

// pagesIn lists the pages in directories that may not exist: the workshop kit, the benchmarks. README comes first.
function pagesIn(...forms) {
  return book.files
    .filter((name) => name.endsWith('.md') && forms.some((form) => form.test(name)))
    .sort((a, b) => b.endsWith('README.md') - a.endsWith('README.md') || a.localeCompare(b))
    .map((name) => ({ text: titleOf(name), link: link(name) }))
}

const lessonItem = (lesson) => ({
  text: `${lesson.number} · ${lesson.title}`,
  minutes: `${lesson.read} + ${lesson.do}`,
  link: `/lessons/${lesson.id}/`,
})

export function sidebar() {
  const groups = [{ text: '', items: [{ text: 'Begin', link: '/' }] }]
  for (const part of book.parts) {
    groups.push({ text: part.name || 'Lessons', items: part.lessons.map(lessonItem) })
  }
  const reference = [
    { text: 'Pitfalls by symptom', link: '/reference/pitfalls.html' },
    { text: 'How to corrupt a JSON file', link: '/reference/wrong-answers.html' },
    { text: 'System differences', link: '/reference/systems.html' },
    { text: 'From Python to Go', link: '/reference/python.html' },
    ...pagesIn(/^docs\/reference\/(?!README\.md$)[^/]+\.md$/),
    ...pagesIn(/^docs\/(benchmarks|bench)\.md$/, /^docs\/(benchmarks|bench)\/[^/]+\.md$/),
  ]
  groups.push({ text: 'Reference', items: reference })
  const workshop = pagesIn(/^docs\/workshop\/[^/]+\.md$/)
  if (workshop.length > 0) groups.push({ text: 'Workshop', items: workshop })
  const rest = pagesIn(/^docs\/(?!benchmarks\.md|bench\.md)[^/]+\.md$/)
  groups.push({ text: 'How it is made', items: rest })
  return groups
}
