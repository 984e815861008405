package lockfileex_test

const onWindows = true
