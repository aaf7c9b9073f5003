export function startLessons() {}
export function openLesson() {}
