"""Files that the fixture repositories are made of."""

MIT = """MIT License

Copyright (c) Example

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY.
"""

ISC = """ISC License

Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES.
"""

BSD_2 = """Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice.
2. Redistributions in binary form must reproduce the above copyright notice.
"""

BSD_3 = f"{BSD_2}3. Neither the name of the copyright holder nor the names of its contributors may be used.\n"

APACHE = """                                 Apache License
                           Version 2.0, January 2004

   TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION

   3. Grant of Patent License. Subject to the terms and conditions
"""

GPL_3 = """                    GNU GENERAL PUBLIC LICENSE
                       Version 3, 29 June 2007

  The GNU General Public License is a free, copyleft license for
software and other kinds of works. Use the GNU Lesser General
Public License instead of this License, or the GNU Affero General Public License.
"""

GPL_2 = """                    GNU GENERAL PUBLIC LICENSE
                       Version 2, June 1991

  The licenses for most software are designed to take away your
freedom to share and change it.  0. This License applies to any program or other work
"""

AGPL_3 = """                    GNU AFFERO GENERAL PUBLIC LICENSE
                       Version 3, 19 November 2007

  13. Remote Network Interaction; Use with the GNU General Public License.
"""

LGPL_3 = """                   GNU LESSER GENERAL PUBLIC LICENSE
                       Version 3, 29 June 2007

  4. Combined Works. "The GNU GPL" refers to version 3 of the GNU General Public License.
"""

MPL = 'Mozilla Public License Version 2.0\n==================================\n\n1.4. "Covered Software" means\n'

UNLICENSE = """This is free and unencumbered software released into the public domain.

Anyone is free to copy, modify, publish, use, compile, sell, or distribute this software
"""

CC0 = 'Creative Commons Legal Code\n\nCC0 1.0 Universal\n\n the person (the "Affirmer")\n'

CC_BY = """Attribution 4.0 International

Creative Commons Attribution 4.0 International Public License

  f. Licensed Material means the artistic or literary work.
  Section 3: You must retain the following if it is supplied by the Licensor
"""

CC_BY_SA = """Attribution-ShareAlike 4.0 International

Creative Commons Attribution-ShareAlike 4.0 International Public License

  f. Licensed Material means the artistic or literary work. You must retain the following
"""

AUTOGEN = """<a name="readme-top"></a>

<div align="center">
<img src="https://example.org/ag.svg" alt="Logo" width="100">

[![Twitter](https://img.shields.io/twitter/url/https/twitter.com/x.svg?style=social)](https://twitter.com/x)
[![Documentation](https://img.shields.io/badge/Documentation-blue?logo=read-the-docs)](https://example.org/docs/)

</div>

[Docs](https://example.org/docs/) | [Blog](https://example.org/blog/) | [Discord](https://example.org/chat)

# AutoGen

> [!CAUTION]
> **Maintenance Mode**
>
> AutoGen is now in maintenance mode. It will not receive new features.

- [Installation](#installation)
- [Quickstart](#quickstart)

Sponsored by [Somebody](https://example.org/somebody), a company that makes very good things for everybody.

**AutoGen** is a framework for creating multi-agent AI applications that can act autonomously or work
alongside humans.

## Installation

AutoGen requires **Python 3.10 or later**.

```bash
# Install AgentChat and OpenAI client from Extensions
pip install -U "autogen-agentchat" "autogen-ext[openai]"
```

```console
$ pip install -U \\
    "autogenstudio"  # the studio
Successfully installed autogenstudio
```

```sh
npm install -g @playwright/mcp@latest
OPENAI_API_KEY=x pip install "autogen-ext==<version>" && echo done
```

See the [changelog](CHANGELOG.md).
"""
