"""The main job, from the front door to joined entities, on posts written for it or on others' posts."""
