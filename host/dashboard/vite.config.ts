/** Builds the page into the folder that the `weir` command embeds: three files with fixed names, the same bytes from the same sources. */
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

const BUNDLED = ["uplot", "@dagrejs/dagre", "@dagrejs/graphlib"];

/** The licences of what is bundled, in front of the script: they want to go where the code goes. */
function licences(): Plugin {
  const of = (name: string) => {
    const folder = new URL(`node_modules/${name}/`, import.meta.url);
    const { version } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as { version: string };
    return `${name} ${version}\n\n${readFileSync(new URL("LICENSE", folder), "utf8").trim()}`;
  };
  return {
    name: "licences",
    enforce: "post",
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") file.code = `/*\n${BUNDLED.map(of).join("\n\n").replaceAll("*/", "* /").replaceAll("\r\n", "\n")}\n*/\n${file.code}`;
      }
    },
  };
}

/** Vite marks what it puts into the page as of another origin, which it never is. */
function sameOrigin(): Plugin {
  return { name: "same-origin", enforce: "post", transformIndexHtml: (html) => html.replaceAll(" crossorigin", "") };
}

export default defineConfig({
  base: "./",
  publicDir: false,
  plugins: [licences(), sameOrigin()],
  build: {
    outDir: process.env["WEIR_DASHBOARD_OUT"] ?? "../cli/src/api/dashboard",
    emptyOutDir: true,
    target: "es2022",
    sourcemap: false,
    modulePreload: false,
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rollupOptions: {
      output: { entryFileNames: "app.js", chunkFileNames: "app-[name].js", assetFileNames: "app[extname]" },
    },
  },
});
