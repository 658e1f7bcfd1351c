"""TypeScript and JavaScript, read by syntax tree: modules, what their constants say, zod schemas, MCP tools."""
