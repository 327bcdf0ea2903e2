// What the comments of a settings file with every setting say of each: one text for people who read the file and for editors.

/** By keys with dots between them. A setting that is commented out has its description too. */
export function settingDescriptions(example: string): Map<string, string> {
  const descriptions = new Map<string, string>()
  const holders: { indent: number; path: string }[] = []
  let comment: string[] = []
  for (const line of example.split('\n')) {
    const [, said] = /^\s*#(?: (.*))?$/.exec(line) ?? []
    if (said !== undefined) {
      comment.push(said.trimEnd())
      continue
    }
    const [, space, key] = /^(\s*)#?([\w.]+):(?:\s|$)/.exec(line) ?? []
    if (key !== undefined) {
      while (holders.length > 0 && holders.at(-1)!.indent >= space!.length) holders.pop()
      const path = [...holders.slice(-1).map(holder => holder.path), key].join('.')
      holders.push({ indent: space!.length, path })
      if (comment.length > 0) descriptions.set(path, comment.join('\n'))
    }
    comment = []
  }
  return descriptions
}
