/** A style that a part of the page takes along is bundled as its text (src/http/bundle-page.ts). */
declare module '*.css' {
  const text: string;
  export default text;
}
