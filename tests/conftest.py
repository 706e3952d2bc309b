from hypothesis import settings

settings.register_profile("project", deadline=None)   # a busy computer fails no test
settings.load_profile("project")
