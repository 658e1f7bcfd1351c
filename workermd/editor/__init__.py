"""What an editor is told about a contract while it is being written: the language server behind `workermd lsp`."""
