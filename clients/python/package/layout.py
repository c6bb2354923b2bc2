"""
Lays out the wheel: installed, runlog is a package, because only a package can say that it is typed. An editable install has the
tree on its path instead.
"""

from typing import Any, Dict

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Layout(BuildHookInterface):
    def initialize(self, version: str, build_data: Dict[str, Any]) -> None:
        if version == "standard":
            build_data["force_include"].update(
                {
                    "runlog.py": "runlog/__init__.py",
                    "runlog_integrations": "runlog",
                    "package/__main__.py": "runlog/__main__.py",
                    "package/py.typed": "runlog/py.typed",
                }
            )
