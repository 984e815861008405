import DefaultTheme from 'vitepress/theme-without-fonts'
import { makeAbsolute } from './absolute.js'
import Layout from './Layout.vue'
import LessonSlot from './LessonSlot.vue'
import { openForFragments } from './folds.js'
import './style.css'

export default {
  extends: DefaultTheme,
  Layout,
  enhanceApp({ app, router }) {
    app.component('LessonSlot', LessonSlot)
    if (import.meta.env.SSR) return
    makeAbsolute()
    openForFragments(router)
  },
}
