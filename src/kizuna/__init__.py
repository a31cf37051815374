"""kizuna: a node shows a partner exactly what an agreement in force allows, and can say why."""

__version__ = "0.1.0"
