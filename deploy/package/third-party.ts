// What a prebuilt addon has in it that is not ours, and under which terms.
import { sourceLibraries } from '../addon/static-libraries.ts'

export function thirdParty(): string {
  const rows = sourceLibraries.map(
    ({ name, version, licence, archive, sha256 }) => `| ${name} | ${version} | ${licence} | ${archive} | ${sha256} |`,
  )
  return `# What is in the prebuilt addons

Podweir is Apache-2.0; its kernel programs are GPL-2.0-only OR Apache-2.0. Linked into \`podweir.node\`:

| | version | licence | source, as Debian carries it | SHA-256 |
|---|---|---|---|---|
${rows.join('\n')}

and parts of GCC's C++ library, GPL-3.0-or-later with the GCC Runtime Library Exception. Of elfutils it is libelf alone. The texts are in the
folders beside this file. To link with another version of them: \`npm run build:addon\` in a clone, after a change of
\`deploy/addon/static-libraries.ts\`.
`
}
